# Runs the search benchmarks over few vectors and checks what they write: the columns, and that whoever compares
# everything finds everything.
#
#   cmake -DANN=program -DFLAT=program -DDATA=examples/data -DOUT=folder -P smoke.cmake
cmake_minimum_required(VERSION 3.20)

# run(program argument...): stops with what the program said when it fails.
function(run)
  execute_process(COMMAND ${ARGN} --data "${DATA}" --sets words --rows 400 --queries 40 --rounds 1 --out "${OUT}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}\n${output}")
  endif()
endfunction()

# read(file header lines): checks the first line of a CSV file and hands back the others.
function(read file header lines)
  file(STRINGS "${OUT}/${file}" all)
  list(POP_FRONT all first)
  if(NOT first STREQUAL "${header}")
    message(FATAL_ERROR "${file} begins with\n${first}\nand not with\n${header}")
  endif()
  if(NOT all)
    message(FATAL_ERROR "${file} holds no rows")
  endif()
  set(${lines} "${all}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${OUT}")
string(CONCAT ann_header "set,rows,dim,contender,k,ef,nprobe,stretch,rescore,recall,qps,p50_us,build_s,build_wall_s,"
  "build_many_s,index_bytes,vector_bytes,peak_bytes,search_many")
string(CONCAT flat_header "set,rows,dim,contender,k,rescore,recall,qps,gb_s,read_gb_s,batch,batch_qps,batch_recall")

run("${ANN}" --contenders kith,hnswlib --ef 32 --build-threads 2 --search-threads 2 --memory)
run("${ANN}" --k 10,100 --ef 128 --nprobe 4,64 --rescore 20)
read(ann.csv "${ann_header}" rows)
foreach(k IN ITEMS 10 100)
  if(NOT rows MATCHES "words,400,100,kith,${k},2000,,[0-9.]+,,1\\.00000,")
    message(FATAL_ERROR "kith does not find all ${k} however far it walks:\n${rows}")
  endif()
endforeach()
file(READ "${OUT}/ann-words.svg" picture)
if(NOT picture MATCHES ">recall@100<.*>kith<.*</svg>")
  message(FATAL_ERROR "the picture lacks its second panel, the label of kith, or its end")
endif()
file(READ "${OUT}/ann.md" tables)
if(NOT tables MATCHES "words: queries/s at recall@10 .*words: cost")
  message(FATAL_ERROR "ann.md lacks a table:\n${tables}")
endif()

run("${FLAT}")
read(flat.csv "${flat_header}" rows)
foreach(row IN LISTS rows)
  string(REPLACE "," ";" cells "${row}")
  list(GET cells 3 contender)
  list(GET cells 6 one_by_one)
  list(GET cells 12 at_once)
  if(contender MATCHES "-flat$" AND NOT "${one_by_one} ${at_once}" STREQUAL "1.00000 1.00000")
    message(FATAL_ERROR "${contender} compares everything and does not find everything:\n${row}")
  endif()
endforeach()
if(NOT rows MATCHES "kith-flat,")
  message(FATAL_ERROR "kith-flat took no part:\n${rows}")
endif()

# What the user got wrong is said in a sentence.
execute_process(COMMAND "${ANN}" --data "${DATA}" --sets words --contenders nobody --out "${OUT}"
  RESULT_VARIABLE result OUTPUT_QUIET ERROR_VARIABLE said)
if(result EQUAL 0 OR NOT said MATCHES "no contender is called nobody; there are:.* kith ")
  message(FATAL_ERROR "an unknown contender was answered with: ${said}")
endif()
