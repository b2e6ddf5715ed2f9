"""Writes a Meltano plugin for each account: python plugins.py accounts.txt > accounts.meltano.yml.

`accounts.txt` has one label per line. Add to meltano.yml: include_paths: [./accounts.meltano.yml].
"""

import sys
from pathlib import Path

PLUGIN = """\
  - name: tap-constantcontact--{label}
    inherit_from: tap-constantcontact
    config:
      account_label: {label}
"""


def plugins(labels: list[str]) -> str:
    """Return the plugins of accounts as YAML."""
    return "plugins:\n  extractors:\n" + "".join(PLUGIN.format(label=each) for each in labels)


if __name__ == "__main__":
    sys.stdout.write(plugins(Path(sys.argv[1]).read_text().split()))
