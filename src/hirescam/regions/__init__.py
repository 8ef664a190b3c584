"""PARTITION: where each label may look, from its report and from where organs lie."""
