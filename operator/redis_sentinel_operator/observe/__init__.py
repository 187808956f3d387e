"""Reading hosts: one probe script and one round trip to each redis and sentinel, as facts that are Known or Unknown."""
