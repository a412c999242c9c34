# ROS 2 Jazzy with TensorRT on Jetson Thor, JetPack 7, which takes NVIDIA's containers for Arm servers. Build it on the
# Jetson, in the root of the repository:
#   docker build -f docker/thor.Dockerfile -t hyperseg_ros .
FROM nvcr.io/nvidia/tensorrt:25.09-py3

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 ROS_DISTRO=jazzy

RUN apt-get update && apt-get install -y --no-install-recommends curl gnupg && \
    curl -fsSL https://raw.githubusercontent.com/ros/rosdistro/master/ros.key \
      -o /usr/share/keyrings/ros-archive-keyring.gpg && \
    echo "deb [arch=arm64 signed-by=/usr/share/keyrings/ros-archive-keyring.gpg] \
      http://packages.ros.org/ros2/ubuntu noble main" >/etc/apt/sources.list.d/ros2.list && \
    apt-get update && apt-get install -y --no-install-recommends \
      ros-jazzy-ros-base python3-colcon-common-extensions python3-rosdep python3-venv build-essential && \
    rm -rf /var/lib/apt/lists/*

WORKDIR /ws
COPY . src/hyperseg_ros
RUN apt-get update && rosdep init && rosdep update --rosdistro jazzy && \
    rosdep install -y --from-paths src --ignore-src --rosdistro jazzy && \
    rm -rf /var/lib/apt/lists/*
# The image has the bindings of its TensorRT among the packages of its Python.
RUN python3 -m venv --system-site-packages env && touch env/COLCON_IGNORE && \
    env/bin/pip install --no-cache-dir 'numpy<2' -r src/hyperseg_ros/tools/requirements/runtime.txt \
      -r src/hyperseg_ros/tools/requirements/gpu.txt && \
    env/bin/python -c 'import tensorrt'
RUN source /opt/ros/jazzy/setup.bash && \
    colcon build --packages-select hyperseg_ros --cmake-args -DPython3_EXECUTABLE=/ws/env/bin/python3

COPY docker/entrypoint.sh /
ENTRYPOINT ["/entrypoint.sh"]
CMD ["ros2", "launch", "hyperseg_ros", "segment.launch.py"]
