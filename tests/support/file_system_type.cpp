// tests/support/file_system_type.cpp — statfs that passes through, or answers as a FileSystemType says.
#include "support/file_system_type.hpp"

#include <atomic>

#if defined(__linux__)

#include <dlfcn.h>
#include <sys/vfs.h>

namespace {

std::atomic<std::uint32_t> pretended = 0;  // 0: the truth

}  // namespace

extern "C" int statfs(const char* path, struct statfs* found) noexcept {
    using Call = int(const char*, struct statfs*);
    const int result = reinterpret_cast<Call*>(::dlsym(RTLD_NEXT, "statfs"))(path, found);
    if (result == 0 && pretended != 0) found->f_type = static_cast<decltype(found->f_type)>(pretended.load());
    return result;
}

namespace kith_test {

FileSystemType::FileSystemType(std::uint32_t type) {
    pretended = type;
}
FileSystemType::~FileSystemType() {
    pretended = 0;
}
bool FileSystemType::works() {
    return true;
}

}  // namespace kith_test

#else

namespace kith_test {

FileSystemType::FileSystemType(std::uint32_t) {}
FileSystemType::~FileSystemType() = default;
bool FileSystemType::works() {
    return false;
}

}  // namespace kith_test

#endif
