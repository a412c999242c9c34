# `make help` lists what can be done. Every target does its own set-up; tools/ros says how.
# ROS=kilted takes Kilted's wheels in place of Jazzy's; in a shell with a sourced ROS 2 that one is used.

SHELL := /bin/bash
export ROS PYTHON TORCH
.DEFAULT_GOAL := help

# $(call demo_option,seed) is --seed '3' where SEED=3 was given.
upper = $(shell tr a-z A-Z <<<$(1))
demo_option = $(if $($(call upper,$(1))),--$(1) '$($(call upper,$(1)))')

.PHONY: help demo build test lint test-ros test-floors test-torch shell clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' Makefile | column -t -s '|'

demo: ## Segment a simulated drive, or SOURCE=<video, folder of images, recording, /dev/videoN>; FRAMES= RATE= SIZE= SEED= OUTPUT= MODEL= BACKEND=; VIEW=1 shows it in the browser
	@tools/ros demo $(if $(SOURCE),'$(SOURCE)') $(if $(VIEW),--view) $(foreach option,frames rate size seed output model backend,$(call demo_option,$(option)))

build: ## Set up the ROS 2 environment and build the package (build/<distribution>)
	@tools/ros true

test: ## Lint, then every test; the torch layers' where a CPU build of PyTorch is at hand (TORCH=1: always, 0: never)
	@$(MAKE) --no-print-directory --keep-going lint test-ros test-torch

lint: ## Check style (ruff) and types (mypy)
	@tools/lint

test-ros:
	@tools/test_ros

test-floors: ## Test with exactly the oldest releases that the requirements allow
	@tools/test_floors

test-torch:
	@tools/test_torch

shell: ## Open a shell in the ROS 2 environment
	@tools/ros bash

clean: ## Remove what was built and installed (.env/, build/)
	rm -rf .env build .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
