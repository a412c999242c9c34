"""What annotation tools write, into a data set of the form `folder` and back."""
