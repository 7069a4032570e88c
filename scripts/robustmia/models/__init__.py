"""Networks, the device that they run on, and perturbations of their inputs."""
