"""What of the documentation is made from the product, and the commands in it: found here, run by the suites."""
