"""`kubectl rsc`: what a person at a terminal and a pipeline use. It speaks to the API server alone, as whoever runs it.

Nothing here knows how the operator works: what it shows stands in status, what it asks for goes into the resource.
"""
