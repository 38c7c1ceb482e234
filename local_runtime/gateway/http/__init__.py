"""The HTTP gateway: a Flask application made from the manifest, hosted by gunicorn with gevent workers."""
