"""The golden net: what motet answers today, so that no move of modules changes it unnoticed."""
