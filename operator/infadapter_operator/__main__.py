"""`python -m infadapter_operator`: the operator, set up by its environment (`settings`)."""

import sys

from infadapter_operator.main import main
from infadapter_operator.settings import InvalidSetting

try:
    main()
except InvalidSetting as invalid:
    sys.exit(f"infadapter: {invalid}")
