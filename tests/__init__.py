"""The tests. Here, where it comes before all that they import: what is compiled is kept, whatever the environment says.

Otherwise each run rewrites every assertion again, and each proxy that a test starts compiles all that it imports.
"""

import os
import sys

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
