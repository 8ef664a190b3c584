"""Every label has a file name that is safe and its own."""

from hirescam.drawing.names import file_names

ODD = (
    "../../etc/passwd",
    "a/b",
    "a_b",
    "a b",
    "A_B",
    "",
    "ü",
    "n" * 500,
    "n" * 501,
    "CON:",
    ".x",
)


def test_names_are_safe_and_distinct_even_where_case_does_not_count():
    names = file_names(ODD)
    assert len({name.lower() for name in names.values()}) == len(ODD)
    assert all(
        set(name) <= set("abcdefghijklmnopqrstuvwxyzABCNO0123456789_-")
        for name in names.values()
    )
    assert all(0 < len(name) < 100 for name in names.values())


def test_plain_labels_keep_their_name():
    assert file_names(["lung_nodule"]) == {"lung_nodule": "lung_nodule"}
