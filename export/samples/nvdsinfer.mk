# The parsers for nvinfer; DEEPSTREAM is where the SDK lies.
DEEPSTREAM ?= /opt/nvidia/deepstream/deepstream

libnvdsinfer_plates.so: nvdsinfer_plates.cpp plate_boxes.h plate_text.h plates_config.h
	$(CXX) -std=c++17 -O2 -Wall -shared -fPIC -I$(DEEPSTREAM)/sources/includes -o $@ $<
