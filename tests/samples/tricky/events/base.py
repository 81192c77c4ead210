class TopLevel:
    """In no folder, so in no namespace."""
