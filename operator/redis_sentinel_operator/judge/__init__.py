"""What the facts mean. Pure: the same facts give the same verdict, and no mix of answers raises."""
