"""How fast the product is, as ratios against real alternatives in the same run on the same hosts (make bench)."""
