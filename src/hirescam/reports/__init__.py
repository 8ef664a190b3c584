"""What a radiology report says: abnormality, place and status, with the words that said so."""
