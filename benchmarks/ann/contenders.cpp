// benchmarks/ann/contenders.cpp — which libraries are here, as CMake found them.
#include "contenders.hpp"

#include "kith/version.hpp"

#include <algorithm>
#include <iostream>
#include <iterator>
#include <stdexcept>

namespace ann {
namespace {

void append(std::vector<Variant>& to, std::vector<Variant> more) {
    std::move(more.begin(), more.end(), std::back_inserter(to));
}

std::vector<Variant> gather() {
    std::vector<Variant> all;
#ifdef ANN_HAS_HNSWLIB
    append(all, hnswlib_variants());
#endif
#ifdef ANN_HAS_FAISS
    append(all, faiss_variants());
#endif
    append(all, kith_variants());
    return all;
}

bool is_missing_peer(const std::string& name) {
#ifndef ANN_HAS_HNSWLIB
    if (name.starts_with("hnswlib")) return true;
#endif
#ifndef ANN_HAS_FAISS
    if (name.starts_with("faiss")) return true;
#endif
    return name.empty();
}

}  // namespace

// Here, and not in the class, because a peer's source is compiled for another processor than the rest.
void Searcher::search_batch(const float* queries, std::size_t count, std::size_t dim, std::size_t k,
                            std::uint32_t* out) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t got = search(queries + i * dim, k, out + i * k);
        std::fill(out + i * k + got, out + (i + 1) * k, missing);
    }
}

const std::vector<Variant>& all_variants() {
    static const std::vector<Variant> all = gather();
    return all;
}

std::vector<Variant> choose(std::span<const std::string> names, std::span<const Kind> kinds) {
    const std::vector<Variant>& all = all_variants();
    std::vector<Variant> chosen;
    for (const std::string& name : names) {
        const auto at = std::find_if(all.begin(), all.end(), [&](const Variant& each) { return each.name == name; });
        if (at != all.end()) {
            chosen.push_back(*at);
        } else if (is_missing_peer(name)) {
            std::cerr << "built without " << name << ", going on without it\n";
        } else {
            std::string known;
            for (const Variant& each : all) known += " " + each.name;
            throw std::invalid_argument("no contender is called " + name + "; there are:" + known);
        }
    }
    if (!names.empty()) return chosen;
    std::copy_if(all.begin(), all.end(), std::back_inserter(chosen),
                 [&](const Variant& each) { return std::find(kinds.begin(), kinds.end(), each.kind) != kinds.end(); });
    return chosen;
}

std::vector<std::string> how_built() {
    std::vector<std::string> lines;
    lines.emplace_back("kith " + std::string(kith::version) + ": as it ships, kernels chosen at run time");
#ifdef ANN_HAS_HNSWLIB
    lines.push_back(hnswlib_build());
#endif
#ifdef ANN_HAS_FAISS
    lines.push_back(faiss_build());
#endif
    return lines;
}

}  // namespace ann
