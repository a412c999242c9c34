"""`python -m hyperseg_ros.demo`."""

from hyperseg_ros.demo.run import main

raise SystemExit(main())
