// tests/fuzz/images.cpp — images of rows and graphs, mapped and searched: no crash, no slot that is not there.
//
// The first byte of the input chooses the index, the second whether rows or graph are the rest of the input; the other
// image is a right one. Images stand in memory of exactly their size, so that a sanitizer sees a byte read past one.
#include "fuzz/target.hpp"

#include "kith/core/random.hpp"
#include "kith/index.hpp"
#include "kith/quantize.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

namespace kith_fuzz {

namespace {

constexpr std::size_t dim = 8;
constexpr kith::Slot count = 300;

struct Images {
    std::string rows, graph;
};

/// Bytes at a multiple of 64, and nothing behind them.
class Aligned {
public:
    explicit Aligned(std::string_view bytes) : size_(bytes.size()) {
        void* memory = nullptr;
        if (::posix_memalign(&memory, 64, std::max<std::size_t>(size_, 1)) != 0) std::abort();
        memory_.reset(static_cast<std::byte*>(memory));
        if (size_ > 0) std::memcpy(memory, bytes.data(), size_);
    }
    [[nodiscard]] std::span<const std::byte> bytes() const { return {memory_.get(), size_}; }

private:
    struct Free {
        void operator()(std::byte* memory) const noexcept { std::free(memory); }
    };
    std::size_t size_;
    std::unique_ptr<std::byte, Free> memory_;
};

std::vector<float> vectors() {
    kith::SplitMix64 random(4);
    std::vector<float> made(count * dim);
    for (float& value : made) value = static_cast<float>(random.uniform());
    return made;
}

kith::ByteSink into(std::string& out) {
    return [&out](const void* bytes, std::size_t size) { out.append(static_cast<const char*>(bytes), size); };
}

template <class M, class Tag, class T>
Images saved() {
    const std::unique_ptr<kith::VectorIndex> index = kith::make_vector_index<M, Tag, T>(dim, count);
    const std::vector<float> floats = vectors();
    for (kith::Slot slot = 0; slot < count; ++slot) index->append(&floats[slot * dim]);
    index->index_up_to(count, 1);
    Images images;
    index->save_rows(into(images.rows));
    index->save_graph(into(images.graph));
    return images;
}

/// An index over codes is not made of so few rows by itself, so its image is put together here.
template <class M, class Inner, class Q>
Images coded() {
    using Codes = kith::detail::CodeMemory<Q, M>;
    Images images = saved<M, kith::Flat, float>();
    kith::detail::RowMemory<float, M> rows(dim, count);
    const std::vector<float> floats = vectors();
    for (kith::Slot slot = 0; slot < count; ++slot) rows.append(&floats[slot * dim]);
    Codes codes(count);
    codes.train({floats.data(), count, dim, dim}, {});
    codes.append(rows.view(), count, 1);
    auto inner = Inner::template make<typename Codes::View>(count);
    inner.insert(codes.view(), count);
    images.graph = kith::RecallCurve({{1.0F, 0.5F, 0.4F}, {2.0F, 0.9F, 0.8F}}, count).image();
    codes.save(into(images.graph));
    inner.save(into(images.graph));
    return images;
}

std::size_t found_in(const kith::VectorIndex& index, const float* query, kith::SearchParams params,
                     bool rows_are_right) {
    kith::SearchScratch scratch;
    std::array<kith::Neighbor, count> found{};
    const std::size_t size = index.search(query, params, scratch, found.data());
    claim(size <= params.limit, "no more are found than were asked for");
    for (std::size_t at = 0; at < size; ++at) {
        claim(found[at].slot < count && params.allowed.allows(found[at].slot), "what is found exists and is allowed");
        if (rows_are_right && at > 0) claim(!(found[at] < found[at - 1]), "the nearest comes first");
    }
    return size;
}

void search(const kith::VectorIndex& index, bool rows_are_right) {
    const std::array<float, dim> query{0.1F, 0.9F, 0.4F, 0.3F, 0.2F, 0.7F, 0.6F, 0.5F};
    std::array<std::uint64_t, (count + 63) / 64> words{0x5555555555555555, 0, ~std::uint64_t{0}};
    const kith::BitsetView some(words.data(), count), all(count);
    for (const kith::BitsetView& allowed : {all, some}) {
        for (const std::size_t limit : {std::size_t{1}, std::size_t{5}, std::size_t{count}}) {
            found_in(index, query.data(), {.limit = limit, .ef_search = 8, .allowed = allowed}, rows_are_right);
            if (const auto tuned = index.tuned(0.9, {.limit = limit, .ef_search = 1, .allowed = allowed})) {
                found_in(index, query.data(), *tuned, rows_are_right);
            }
        }
    }
    std::array<float, 2 * dim> two{};
    std::copy(query.begin(), query.end(), two.begin());
    kith::SearchScratch scratch;
    kith::SearchScratch* const scratches[] = {&scratch};
    std::array<kith::Neighbor, 6> found{};
    std::array<std::size_t, 2> sizes{};
    const kith::SearchParams params{.limit = 3, .ef_search = 8, .allowed = all};
    index.search_many(two.data(), 2, params, scratches, found.data(), sizes.data());
    std::array<float, dim> vector{};
    index.vector(count - 1, vector.data());
    std::string again;
    index.save_graph(into(again));
}

template <class M, class Tag, class T>
void map_and_search(const Images& images, bool rows_are_right) {
    const Aligned rows(images.rows), graph(images.graph);
    std::unique_ptr<kith::VectorIndex> index;
    if (refuses([&] { index = kith::map_vector_index<M, Tag, T>(dim, count, rows.bytes(), graph.bytes()); })) return;
    search(*index, rows_are_right);
}

constexpr kith::HnswParams few_links{.max_links = 4, .ef_construction = 20};
constexpr kith::IvfParams few_lists{.lists = 3};
constexpr kith::IvfParams few_pieces{.lists = 3, .subvectors = 4};
using Graph = kith::Hnsw<few_links>;

struct Kind {
    Images (*make)();
    void (*attack)(const Images&, bool);
};

template <class M, class Tag, class T = float>
constexpr Kind plain{saved<M, Tag, T>, map_and_search<M, Tag, T>};

template <class M, class Q>
constexpr Kind graph_of_codes{coded<M, Graph, Q>, map_and_search<M, kith::Hnsw<few_links, Q>, float>};

template <class M, class Q>
constexpr Kind scan_of_codes{coded<M, kith::Flat, Q>, map_and_search<M, kith::Coded<kith::Flat, Q>, float>};

// Appended to, never changed: the corpus names them by number.
constexpr std::array kinds{
    plain<kith::L2, kith::Flat>,
    plain<kith::L2, Graph>,
    plain<kith::Cosine, Graph, std::int8_t>,
    plain<kith::Hamming, Graph, kith::Bits8>,
    graph_of_codes<kith::Cosine, kith::Sq4>,
    graph_of_codes<kith::InnerProduct, kith::Sq8>,
    plain<kith::L2, kith::Ivf<few_pieces>>,
    plain<kith::Cosine, kith::Ivf<few_lists, kith::IvfRaBitQ>>,
    plain<kith::L2, kith::Ivf<few_lists, kith::IvfRaw>>,
    scan_of_codes<kith::L2, kith::RaBitQ<1>>,
    scan_of_codes<kith::Cosine, kith::RaBitQ<4>>,
    scan_of_codes<kith::L2, kith::Pq<kith::PqParams{.subvectors = 4}>>,
    scan_of_codes<kith::L2, kith::Opq<kith::PqParams{.subvectors = 4}>>,
    scan_of_codes<kith::Cosine, kith::SqUniform<8>>,
    scan_of_codes<kith::InnerProduct, kith::Fp16>,
};

const Images& right_images(std::size_t kind) {
    static std::array<Images, kinds.size()> made;
    if (made[kind].rows.empty()) made[kind] = kinds[kind].make();
    return made[kind];
}

void attack(std::string_view bytes) {
    if (bytes.size() < 2) return;
    const std::size_t kind = static_cast<unsigned char>(bytes[0]) % kinds.size();
    const bool gives_rows = bytes[1] % 2 != 0;
    Images images = right_images(kind);
    (gives_rows ? images.rows : images.graph) = bytes.substr(2);
    kinds[kind].attack(images, !gives_rows);
}

std::vector<std::string> examples() {
    std::vector<std::string> made;
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        const Images& images = right_images(kind);
        made.push_back(std::string{static_cast<char>(kind), '\0'} + images.graph);
        if (kind < 3) made.push_back(std::string{static_cast<char>(kind), '\1'} + images.rows);
    }
    return made;
}

}  // namespace

const Target images_target{"images", attack, examples};

}  // namespace kith_fuzz
