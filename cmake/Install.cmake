# What goes where: Note [Layout] in src/core/layout.h draws it, and src/core/layout.cpp and python/cortiscore/layout.py find it.
# Components: program, package, manifests and development below a prefix; wheel, which a prefix does without, is what
# scikit-build-core packs.
set(python_files FILES_MATCHING PATTERN "*.py" PATTERN "*.pyi" PATTERN "py.typed")
set(manifest_files FILES_MATCHING PATTERN "*.json" PATTERN "import_recordings.py" PATTERN "simulate_cortex.py")

# A build folder has the same shape, by links.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share/cortiscore ${CMAKE_BINARY_DIR}/python)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/data_manifests ${CMAKE_BINARY_DIR}/share/cortiscore/manifests SYMBOLIC)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/python/cortiscore ${CMAKE_BINARY_DIR}/python/cortiscore SYMBOLIC)

# What pages are made of: our own parts, and Apache ECharts and Tabulator, which the package panel brings (their licences are in
# pages/NOTICE and in the files' first lines).
execute_process(COMMAND ${Python3_EXECUTABLE} -c
  "import importlib.util as u, pathlib; root = pathlib.Path(u.find_spec('panel').origin).parent / 'dist/bundled'
for part in ('echarts/echarts@*/dist/echarts.min.js', 'datatabulator/tabulator-tables@*/dist/js/tabulator.min.js', 'datatabulator/tabulator-tables@*/dist/css/tabulator_simple.min.css'):
    print(next(root.glob(part)), end=';')"
  OUTPUT_VARIABLE page_libraries ERROR_QUIET)
list(REMOVE_ITEM page_libraries "")
list(LENGTH page_libraries n_page_libraries)
if(NOT n_page_libraries EQUAL 3)
  message(FATAL_ERROR "The Python package panel, whose ECharts and Tabulator pages are made with: not found, or of another version. Run ./dev setup.")
endif()
file(GLOB own_page_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/pages/*)
set(page_files ${own_page_files} ${page_libraries})
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share/cortiscore/pages)
foreach(file ${page_files})
  get_filename_component(name ${file} NAME)
  file(CREATE_LINK ${file} ${CMAKE_BINARY_DIR}/share/cortiscore/pages/${name} SYMBOLIC)
endforeach()
install(FILES ${page_files} DESTINATION share/cortiscore/pages COMPONENT manifests)
install(FILES ${page_files} DESTINATION cortiscore/share/cortiscore/pages COMPONENT wheel EXCLUDE_FROM_ALL)

# Torch beside the package, in one environment; below a prefix without torch, the one that was built with.
set(torch_beside "$ORIGIN/../../torch/lib" "$ORIGIN/../${CORTISCORE_SITE_PACKAGES}/torch/lib")
if(CORTISCORE_CUDA)
  list(APPEND torch_beside "$ORIGIN/../../nvidia/cu13/lib" "$ORIGIN/../${CORTISCORE_SITE_PACKAGES}/nvidia/cu13/lib")
endif()
set(torch_built_with ${CORTISCORE_TORCH_ROOT}/lib)
if(SKBUILD)  # that torch is gone once the wheel is built
  set(torch_built_with)
endif()
set_target_properties(cortiscore PROPERTIES INSTALL_RPATH "${torch_beside};${torch_built_with}")
install(TARGETS cortiscore DESTINATION bin COMPONENT program)
install(TARGETS cortiscore DESTINATION cortiscore/bin COMPONENT wheel EXCLUDE_FROM_ALL)

if(TARGET _cortiscore)
  set_target_properties(_cortiscore PROPERTIES INSTALL_RPATH "$ORIGIN/../torch/lib;${torch_built_with}")
  install(TARGETS _cortiscore DESTINATION ${CORTISCORE_SITE_PACKAGES}/cortiscore COMPONENT package)
  install(TARGETS _cortiscore DESTINATION cortiscore COMPONENT wheel EXCLUDE_FROM_ALL)
endif()
install(DIRECTORY python/cortiscore DESTINATION ${CORTISCORE_SITE_PACKAGES} COMPONENT package ${python_files})
install(DIRECTORY python/cortiscore DESTINATION . COMPONENT wheel EXCLUDE_FROM_ALL ${python_files})

install(DIRECTORY data_manifests/ DESTINATION share/cortiscore/manifests COMPONENT manifests ${manifest_files})
install(DIRECTORY data_manifests/ DESTINATION cortiscore/share/cortiscore/manifests COMPONENT wheel EXCLUDE_FROM_ALL
  ${manifest_files})

if(TARGET cortiscore_shared)
  set_target_properties(cortiscore_shared PROPERTIES
    INSTALL_RPATH "$ORIGIN/../${CORTISCORE_SITE_PACKAGES}/torch/lib;${torch_built_with}")
  install(TARGETS cortiscore_shared EXPORT cortiscore COMPONENT development LIBRARY DESTINATION lib FILE_SET HEADERS
    DESTINATION include)
  install(EXPORT cortiscore NAMESPACE cortiscore:: FILE cortiscore-targets.cmake DESTINATION lib/cmake/cortiscore
    COMPONENT development)
  include(CMakePackageConfigHelpers)
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/cortiscore-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES cmake/cortiscore-config.cmake cmake/LibTorch.cmake ${CMAKE_BINARY_DIR}/cortiscore-config-version.cmake
    DESTINATION lib/cmake/cortiscore COMPONENT development)
endif()
