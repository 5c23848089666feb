"""One script for each promise about speed; ``make bench`` runs them all and prints the table."""
