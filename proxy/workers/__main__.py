"""`python -m proxy.workers DESCRIPTOR`: how the supervisor starts a worker."""

import gc
import sys

gc.disable()  # while all is loaded, as by `tanima` itself

from proxy.workers.worker import main  # noqa: E402 - loads nearly all, and nothing is to be collected then

main(sys.argv[1:])
