// tests/fuzz/libfuzzer.cpp — what clang's fuzzer calls, for the target that KITH_FUZZ_TARGET names.
#include "fuzz/target.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    kith_fuzz::KITH_FUZZ_TARGET.attack({reinterpret_cast<const char*>(data), size});
    return 0;
}
