"""Doing what the plan says, step by step; decides nothing."""
