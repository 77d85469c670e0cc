# Finds the libraries that benchmarks compare kith with, and calls them kith::peer_<name>.
#
# Used by benchmarks/ alone and never installed. Nothing is fetched and nothing stops here: a peer that is not on the
# machine takes no part, and the configuration says so.

# kith_find_peer(name): makes kith::peer_<name> where the library is found.
function(kith_find_peer name)
  if(name STREQUAL "hnswlib")
    find_path(KITH_PEER_HNSWLIB_INCLUDE hnswlib/hnswlib.h)
    mark_as_advanced(KITH_PEER_HNSWLIB_INCLUDE)
    if(KITH_PEER_HNSWLIB_INCLUDE)
      add_library(kith::peer_hnswlib INTERFACE IMPORTED)
      set_target_properties(kith::peer_hnswlib PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${KITH_PEER_HNSWLIB_INCLUDE}")
    endif()
  elseif(name STREQUAL "faiss")
    # What FAISS calls, whether its package says so or not.
    find_package(OpenMP QUIET COMPONENTS CXX)
    find_package(BLAS QUIET)
    find_package(LAPACK QUIET)
    if(OpenMP_CXX_FOUND AND BLAS_FOUND AND LAPACK_FOUND)
      find_package(faiss CONFIG QUIET)
      set(library faiss)
      if(NOT TARGET faiss)
        find_path(KITH_PEER_FAISS_INCLUDE faiss/IndexIVFPQFastScan.h)
        find_library(KITH_PEER_FAISS_LIBRARY faiss)
        mark_as_advanced(KITH_PEER_FAISS_INCLUDE KITH_PEER_FAISS_LIBRARY)
        set(library "${KITH_PEER_FAISS_LIBRARY}")
      endif()
      if(TARGET faiss OR (KITH_PEER_FAISS_INCLUDE AND KITH_PEER_FAISS_LIBRARY))
        add_library(kith::peer_faiss INTERFACE IMPORTED)
        set_target_properties(kith::peer_faiss PROPERTIES
          INTERFACE_LINK_LIBRARIES "${library};${LAPACK_LIBRARIES};${BLAS_LIBRARIES};OpenMP::OpenMP_CXX;${CMAKE_DL_LIBS}")
        if(KITH_PEER_FAISS_INCLUDE)
          set_target_properties(kith::peer_faiss PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${KITH_PEER_FAISS_INCLUDE}")
        endif()
      endif()
    endif()
  endif()
  if(NOT TARGET kith::peer_${name})
    message(STATUS "benchmarks: built without ${name}, for it or what it links was not found")
  endif()
endfunction()
