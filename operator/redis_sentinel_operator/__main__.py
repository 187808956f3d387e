"""`python -m redis_sentinel_operator`: the same as the console script."""

from redis_sentinel_operator.main import main

main()
