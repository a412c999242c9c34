# ROS 2 Jazzy with TensorRT for x86-64 and an NVIDIA GPU, in the root of the repository:
#   docker build -f docker/x86.Dockerfile -t hyperseg_ros .
# It runs without a GPU too, on the CPU. With a driver r580 or newer, `tensorrt` may take the place of `tensorrt-cu12`.
FROM ros:jazzy-ros-base

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

RUN apt-get update && apt-get install -y --no-install-recommends python3-venv && \
    rm -rf /var/lib/apt/lists/*

WORKDIR /ws
COPY . src/hyperseg_ros
RUN apt-get update && rosdep update --rosdistro jazzy && \
    rosdep install -y --from-paths src --ignore-src --rosdistro jazzy && \
    rm -rf /var/lib/apt/lists/*
RUN python3 -m venv --system-site-packages env && touch env/COLCON_IGNORE && \
    env/bin/pip install --no-cache-dir 'numpy<2' -r src/hyperseg_ros/tools/requirements/runtime.txt \
      -r src/hyperseg_ros/tools/requirements/cpu.txt -r src/hyperseg_ros/tools/requirements/gpu.txt \
      tensorrt-cu12
RUN source /opt/ros/jazzy/setup.bash && \
    colcon build --packages-select hyperseg_ros --cmake-args -DPython3_EXECUTABLE=/ws/env/bin/python3

COPY docker/entrypoint.sh /
ENTRYPOINT ["/entrypoint.sh"]
CMD ["ros2", "launch", "hyperseg_ros", "segment.launch.py"]
