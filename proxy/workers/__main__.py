"""`python -m proxy.workers DESCRIPTOR`: how the supervisor starts a worker."""

import sys

from proxy.workers.worker import main

main(sys.argv[1:])
