"""What Redis and the EL families are: grammars of their files and tables; pure."""
