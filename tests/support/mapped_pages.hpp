// tests/support/mapped_pages.hpp — how much memory mappings of files take: in this process, and in the system's cache.
#pragma once

#include <sys/mman.h>
#include <unistd.h>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace kith_test {

/// Bytes of files under `folder` that are mapped into this process and in memory. Linux only.
inline std::size_t resident_bytes(const std::filesystem::path& folder) {
    const std::string under = std::filesystem::canonical(folder).string() + "/";
    std::ifstream maps("/proc/self/smaps");
    std::string line;
    std::size_t kilobytes = 0;
    bool ours = false;
    while (std::getline(maps, line)) {
        unsigned long long begin = 0, end = 0, rss = 0;
        if (std::sscanf(line.c_str(), "%llx-%llx ", &begin, &end) == 2) {
            ours = line.find(under) != std::string::npos;
        } else if (ours && std::sscanf(line.c_str(), "Rss: %llu kB", &rss) == 1) {
            kilobytes += rss;
        }
    }
    return kilobytes * 1024;
}

/// Bytes of a mapping that the system has in its cache, mapped or not. `data` is at a page's beginning.
inline std::size_t cached_bytes(const void* data, std::size_t bytes) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> pages((bytes + page - 1) / page);
    if (::mincore(const_cast<void*>(data), bytes, pages.data()) != 0) return 0;
    std::size_t count = 0;
    for (const unsigned char state : pages) count += state & 1U;
    return count * page;
}

}  // namespace kith_test
