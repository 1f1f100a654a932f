import sys

from clip_ae.cli import main

sys.exit(main())
