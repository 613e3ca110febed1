#!/bin/sh
touch /tmp/bareme-evil
