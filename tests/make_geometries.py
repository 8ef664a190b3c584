"""Random oblique grids for property tests, as options of `make.volume`.

Options and not volumes: what checks a volume's types draws random numbers of its own, which
Hypothesis must not see while it draws.
"""

from hypothesis import strategies as st


def geometries(*, shortest=1, longest=5):
    """Small grids of any spacing: flipped, turned by up to 25° about two axes, set anywhere."""
    return st.fixed_dictionaries(
        {
            "shape": st.tuples(*[st.integers(shortest, longest)] * 3),
            "flips": st.tuples(*[st.sampled_from((-1, 1))] * 3),
            "spacing": st.tuples(*[st.floats(0.3, 5)] * 3),
            "tilt_deg": st.floats(-25, 25),
            "origin": st.tuples(*[st.floats(-400, 400)] * 3),
            "seed": st.integers(0, 99),
        }
    )
