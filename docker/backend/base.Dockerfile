# The base image: an interpreter and the packages of requirements.txt. It changes rarely, so a release adds
# only the service's own layer to it. `[build.bases]` has it built before the first release, and again when
# this file or requirements.txt has changed.
FROM python:3.12-slim

COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir -r /tmp/requirements.txt \
    && useradd --system --uid 10001 --no-create-home samjhadoo

USER samjhadoo
