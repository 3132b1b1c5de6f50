"""Entry point of `infadapter-worker` where its console script isn't installed."""

from infadapter_server.executors.remote.command import main

if __name__ == "__main__":
    main()
