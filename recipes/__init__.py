"""What only the makers of the shipped weights run; not part of the installed package."""
