"""`python -m infadapter_operator`: the operator, set up by its environment (`settings`)."""

import sys

from infadapter_operator.environment import InvalidSetting
from infadapter_operator.main import main

try:
    main()
except InvalidSetting as invalid:
    sys.exit(f"infadapter: {invalid}")
