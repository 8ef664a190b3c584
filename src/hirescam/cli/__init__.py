"""The `hirescam` command: one file per sub-command."""
