"""What any process of ours needs: settings from the environment, logs without secrets, CPUs, whole
files."""
