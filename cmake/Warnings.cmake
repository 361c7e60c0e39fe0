# Warnings are errors on our own targets; Torch and the libraries come in as SYSTEM headers.
function(cortiscore_warnings target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Werror>)
endfunction()
