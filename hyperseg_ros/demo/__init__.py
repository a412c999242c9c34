"""The demo: a drive is published, segmented over DDS, recorded and summed up."""
