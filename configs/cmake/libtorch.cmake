# The imported target `libtorch` for the LibTorch in LIBTORCH_ROOT; also installed, for the package.
# Our own instead of find_package(Torch), which demands a CUDA toolkit for a CUDA wheel. -idirafter,
# because the wheel's include folder also holds an fmt that shadows the one spdlog needs.
if(NOT TARGET libtorch)
  add_library(libtorch INTERFACE IMPORTED)
  target_compile_options(libtorch INTERFACE -fopenmp
    "SHELL:-idirafter ${LIBTORCH_ROOT}/include"
    "SHELL:-idirafter ${LIBTORCH_ROOT}/include/torch/csrc/api/include")
  foreach(name torch_cpu c10 torch_cuda c10_cuda)
    find_library(LIBTORCH_${name} ${name} PATHS ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH)
  endforeach()
  file(GLOB LIBTORCH_openmp ${LIBTORCH_ROOT}/lib/libgomp*.so*
       ${LIBTORCH_ROOT}/../torch.libs/libgomp*.so*)
  target_link_libraries(libtorch INTERFACE ${LIBTORCH_torch_cpu} ${LIBTORCH_c10} ${LIBTORCH_openmp})
  # CUDA libraries register themselves when loaded; nothing references them by symbol.
  if(LIBTORCH_torch_cuda)
    target_link_libraries(libtorch INTERFACE -Wl,--no-as-needed ${LIBTORCH_torch_cuda}
                          ${LIBTORCH_c10_cuda} -Wl,--as-needed)
  endif()
endif()
