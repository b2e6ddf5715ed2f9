"""Singer tap for Constant Contact."""

import warnings

# The SDK imports joblib for targets. On a read-only disk it warns about something taps do not use.
warnings.filterwarnings("ignore", ".*joblib will operate in serial mode", UserWarning)
