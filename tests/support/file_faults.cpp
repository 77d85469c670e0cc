// tests/support/file_faults.cpp — system calls that pass through, or fail as a FileFaults says.
#include "support/file_faults.hpp"

#include <dlfcn.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>

#if defined(__linux__)

namespace {

using kith_test::FileCall;

struct Plan {
    std::atomic<int> first = 0;  // 0: none fails
    std::atomic<int> last = 0;
    std::atomic<int> error = 0;
    std::atomic<int> seen = 0;
};

std::array<Plan, 4> plans;
std::atomic<std::uint64_t> longest_write = 0;  // 0: any
std::atomic<bool> skip_syncs = false;
std::atomic<bool> interrupt = false;  // the next short write is interrupted

Plan& plan_of(FileCall call) {
    return plans[static_cast<std::size_t>(call)];
}

bool fails(FileCall call) {
    Plan& plan = plan_of(call);
    const int number = ++plan.seen;
    if (plan.first == 0 || number < plan.first || number > plan.last) return false;
    errno = plan.error;
    return true;
}

bool is_interrupted() {
    if (longest_write == 0 || (interrupt = !interrupt) == false) return false;
    errno = EINTR;
    return true;
}

template <class Function>
Function* system_call(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

int sync(const char* name, int file) {
    if (fails(FileCall::sync)) return -1;
    return skip_syncs ? 0 : system_call<int(int)>(name)(file);
}

ssize_t write_at(const char* name, int file, const void* bytes, size_t count, off_t offset) {
    using Call = ssize_t(int, const void*, size_t, off_t);
    if (fails(FileCall::write) || is_interrupted()) return -1;
    if (longest_write != 0 && count > longest_write) count = longest_write;
    return system_call<Call>(name)(file, bytes, count, offset);
}

}  // namespace

extern "C" {

ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
    return write_at("pwrite", file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t offset) {
    return write_at("pwrite64", file, bytes, count, offset);
}

ssize_t pwritev(int file, const struct iovec* parts, int count, off_t offset) {
    using Call = ssize_t(int, const struct iovec*, int, off_t);
    if (longest_write != 0) {
        for (int part = 0; part < count; ++part) {
            if (parts[part].iov_len > 0) return pwrite(file, parts[part].iov_base, parts[part].iov_len, offset);
        }
    }
    if (fails(FileCall::write)) return -1;
    return system_call<Call>("pwritev")(file, parts, count, offset);
}

ssize_t writev(int file, const struct iovec* parts, int count) {
    using Call = ssize_t(int, const struct iovec*, int);
    if (fails(FileCall::write)) return -1;
    return system_call<Call>("writev")(file, parts, count);
}

int fdatasync(int file) {
    return sync("fdatasync", file);
}

int fsync(int file) {
    return sync("fsync", file);
}

int ftruncate(int file, off_t bytes) noexcept {
    return fails(FileCall::truncate) ? -1 : system_call<int(int, off_t)>("ftruncate")(file, bytes);
}

int rename(const char* from, const char* to) noexcept {
    return fails(FileCall::rename) ? -1 : system_call<int(const char*, const char*)>("rename")(from, to);
}

}  // extern "C"

namespace kith_test {

FileFaults::FileFaults(FileCall call, int first, int error, int count) {
    Plan& plan = plan_of(call);
    plan.seen = 0;
    plan.error = error;
    plan.last = first + (count - 1);
    plan.first = first;
}

FileFaults FileFaults::short_writes(std::uint64_t bytes) {
    longest_write = bytes;
    return {};
}

FileFaults FileFaults::no_syncs() {
    skip_syncs = true;
    return {};
}

FileFaults::~FileFaults() {
    skip_syncs = false;
    for (Plan& plan : plans) plan.first = 0;
    longest_write = 0;
}

int FileFaults::calls(FileCall call) {
    return plan_of(call).seen;
}

bool FileFaults::work() {
    return true;
}

}  // namespace kith_test

#else

namespace kith_test {

FileFaults::FileFaults(FileCall, int, int, int) {}
FileFaults FileFaults::short_writes(std::uint64_t) {
    return {};
}
FileFaults FileFaults::no_syncs() {
    return {};
}
FileFaults::~FileFaults() = default;
int FileFaults::calls(FileCall) {
    return 0;
}
bool FileFaults::work() {
    return false;
}

}  // namespace kith_test

#endif
