"""Known failures: methods offered for comparison, and what they are known to get wrong."""

KNOWN_FAILURES = {
    "deconvnet": "mostly restores the input: its maps hardly change between labels or when "
    "weights are random (Nie et al., arXiv:1805.07039; Sixt et al., arXiv:1912.09818)",
    "guided_backpropagation": "fails weight randomisation: its maps stay the same when the "
    "upper layers are random (Adebayo et al., NeurIPS 2018, arXiv:1810.03292)",
    "guided_gradcam": "fails weight randomisation with guided backpropagation, its factor "
    "(Adebayo et al., NeurIPS 2018, arXiv:1810.03292)",
    "lrp": "for small ε it is input × gradient in ReLU networks, so the outlines of the input "
    "remain when weights are random (Adebayo et al., NeurIPS 2018, arXiv:1810.03292)",
}
