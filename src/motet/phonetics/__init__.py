"""What is said when: the phone inventory, alignment of texts, phone times from files and from an
encoder's scores.
"""
