// tests/collection/elements_test.cpp — records whose vectors are not floats: written, searched, sealed, opened again.
#include "kith/collection/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/distance.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

using kith::Bits8;
using kith::Collection;
using kith::Half;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

struct Image {
    std::int64_t id = 0;
    std::array<Half, 40> features{};
    std::array<kith::Bfloat16, 10> style{};
    std::array<std::int8_t, 24> codes{};
    std::array<std::uint8_t, 12> histogram{};
    std::array<Bits8, 8> hash{};
    std::array<Bits8, 4> words{};
};

using SmallHnsw = kith::Hnsw<kith::HnswParams{8, 60}>;
using Images =
    kith::Schema<Image, kith::Key<&Image::id>, kith::VectorField<&Image::features, kith::Cosine>,
                 kith::VectorField<&Image::style, kith::InnerProduct, SmallHnsw>,
                 kith::VectorField<&Image::codes, kith::L2>, kith::VectorField<&Image::histogram, kith::L2, kith::Flat>,
                 kith::VectorField<&Image::hash, kith::Hamming>,
                 kith::VectorField<&Image::words, kith::Jaccard, kith::Flat>>;

template <class Vector>
void fill(Vector& vector, kith::SplitMix64& random) {
    using T = typename Vector::value_type;
    for (T& element : vector) {
        if constexpr (sizeof(T) == 1) {
            const auto byte = static_cast<std::uint8_t>(random.below(256));
            std::memcpy(&element, &byte, 1);
        } else {
            element = T(static_cast<float>(random.uniform() - 0.5));
        }
    }
}

/// The same image for the same number.
Image image(std::int64_t number) {
    kith::SplitMix64 random(static_cast<std::uint64_t>(number) + 1);
    Image made;
    made.id = number;
    fill(made.features, random);
    fill(made.style, random);
    fill(made.codes, random);
    fill(made.histogram, random);
    fill(made.hash, random);
    fill(made.words, random);
    return made;
}

std::vector<Image> images(std::int64_t first, std::int64_t count) {
    std::vector<Image> made;
    for (std::int64_t number = first; number < first + count; ++number) made.push_back(image(number));
    return made;
}

/// Every vector as its bytes.
std::string bytes_of(const Image& image) {
    std::string bytes = std::to_string(image.id) + ':';
    Images::for_each_vector(image, [&](std::size_t, auto elements) {
        bytes.append(reinterpret_cast<const char*>(elements.data()), elements.size_bytes());
    });
    return bytes;
}

/// The ids nearest to a query by the metric's own truth, equal distances by id.
template <auto Member, class M, class Vector>
std::vector<std::int64_t> nearest_of(const std::vector<Image>& all, const Vector& query, std::size_t limit) {
    std::vector<std::pair<float, std::int64_t>> found;
    for (const Image& image : all) {
        found.emplace_back(M::distance(query.data(), (image.*Member).data(), query.size()), image.id);
    }
    std::sort(found.begin(), found.end());
    std::vector<std::int64_t> ids;
    for (std::size_t i = 0; i < limit; ++i) ids.push_back(found[i].second);
    return ids;
}

template <auto Member, class M, class Vector>
void check_search(const Collection<Images>& collection, const std::vector<Image>& all, const Vector& query) {
    const auto truth = nearest_of<Member, M>(all, query, 5);
    std::vector<std::int64_t> exact, walked;
    for (const auto& hit : collection.nearest<Member>(query).limit(5).exact().run()) exact.push_back(hit.record.id);
    for (const auto& hit : collection.nearest<Member>(query).limit(5).ef_search(200).run()) {
        walked.push_back(hit.record.id);
        CHECK(hit.score == M::score(hit.distance));
    }
    CHECK(exact == truth);
    CHECK(walked == truth);
}

void check_all(const Collection<Images>& collection, const std::vector<Image>& all) {
    REQUIRE(collection.size() == all.size());
    for (const Image& written : all) {
        const auto read = collection.get(written.id);
        REQUIRE(read.has_value());
        CHECK(bytes_of(*read) == bytes_of(written));
    }
    const Image query = image(5'000'000);
    check_search<&Image::features, kith::Cosine>(collection, all, query.features);
    check_search<&Image::style, kith::InnerProduct>(collection, all, query.style);
    check_search<&Image::codes, kith::L2>(collection, all, query.codes);
    check_search<&Image::histogram, kith::L2>(collection, all, query.histogram);
    check_search<&Image::hash, kith::Hamming>(collection, all, query.hash);
    check_search<&Image::words, kith::Jaccard>(collection, all, query.words);
}

}  // namespace

TEST_CASE("Vectors of any element come back bit for bit and are found, in memory, from the log and from segments") {
    std::vector<Image> all = images(0, 300);
    {
        Collection<Images> collection(kith::in_memory);
        collection.insert(all);
        collection.link();
        check_all(collection, all);
    }
    const TemporaryDirectory directory;
    {
        Collection<Images> collection(directory / "images");
        collection.insert(all);
    }
    {
        Collection<Images> collection(directory / "images");
        check_all(collection, all);
        collection.checkpoint();
        check_all(collection, all);
        const std::vector<Image> more = images(1000, 100);
        collection.insert(more);
        all.insert(all.end(), more.begin(), more.end());
        collection.update(3, [](Image& changed) { changed.hash[2].bits ^= 1; });
        all[3].hash[2].bits ^= 1;
    }
    const Collection<Images> collection(directory / "images");
    check_all(collection, all);
}

TEST_CASE("The log keeps elements as they are") {
    const TemporaryDirectory directory;
    Collection<Images> collection(directory / "images");
    collection.insert(images(0, 300));
    std::size_t vectors = 0;  // bytes
    const Image one = image(0);
    Images::for_each_vector(one, [&](std::size_t, auto elements) { vectors += elements.size_bytes(); });
    CHECK(vectors == 2 * 40 + 2 * 10 + 24 + 12 + 8 + 4);
    const std::uint64_t bytes = collection.stats().log_bytes;
    CHECK(bytes >= 300 * vectors);
    CHECK(bytes <= 300 * (vectors + 40) + 200);  // keys and rows beside them, a header and one batch
}

TEST_CASE("A query of floats is as good as one of elements") {
    Collection<Images> collection(kith::in_memory);
    collection.insert(images(0, 50));
    const Image query = image(77);
    std::vector<float> bits(64), codes(24);
    kith::decode_elements(query.hash.data(), bits.size(), bits.data());
    kith::decode_elements(query.codes.data(), codes.size(), codes.data());
    const auto by_bits = collection.nearest<&Image::hash>(query.hash).run();
    const auto by_floats = collection.nearest<&Image::hash>(bits).run();
    REQUIRE(by_bits.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) {
        CHECK(by_bits[i].record.id == by_floats[i].record.id);
        CHECK(by_bits[i].distance == by_floats[i].distance);
    }
    CHECK(collection.nearest<&Image::codes>(query.codes).run()[0].distance ==
          collection.nearest<&Image::codes>(codes).run()[0].distance);

    const std::vector<std::array<Bits8, 8>> hashes{query.hash, image(78).hash};
    const auto together = collection.nearest_many<&Image::hash>(hashes).run();
    REQUIRE(together.size() == 2);
    CHECK(together[0][9].distance == by_bits[9].distance);
}

TEST_CASE("What a field's vectors cannot be is refused before anything is written") {
    Collection<Images> collection(kith::in_memory);
    Image bad = image(1);
    bad.features[2] = Half::from_bits(0x7c00);
    const auto infinite = raised([&] { collection.insert(bad); });
    CHECK(infinite.code == kith::Errc::invalid_argument);
    CHECK(infinite.says("record 0, field 'features': element 2 is infinite"));
    bad = image(1);
    bad.features.fill(Half());
    CHECK(raised([&] { collection.insert(bad); }).says("field 'features': all elements are zero"));
    const std::vector<float> short_query(63);
    const auto ask = [&] { static_cast<void>(collection.nearest<&Image::hash>(short_query).run()); };
    CHECK(raised(ask).says("dimension is 64, got 63"));
    CHECK(collection.size() == 0);
}

namespace {

struct Before {
    std::int64_t id = 0;
    std::array<std::int8_t, 4> code{};
};
struct After {
    std::int64_t id = 0;
    std::array<std::uint8_t, 4> code{};
};

}  // namespace

TEST_CASE("A collection of one element is not opened as one of another") {
    const TemporaryDirectory directory;
    using Stored = kith::Schema<Before, kith::Key<&Before::id>, kith::VectorField<&Before::code, kith::L2>>;
    using Changed = kith::Schema<After, kith::Key<&After::id>, kith::VectorField<&After::code, kith::L2>>;
    {
        Collection<Stored> collection(directory / "codes");
    }
    const auto refused = raised([&] { Collection<Changed> collection(directory / "codes"); });
    CHECK(refused.code == kith::Errc::schema_mismatch);
    CHECK(refused.says("stored vector 4 of i8"));
    CHECK(refused.says("now vector 4 of u8"));
}
