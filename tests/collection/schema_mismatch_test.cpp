// tests/collection/schema_mismatch_test.cpp — each way a program's schema can differ from the stored one: the change is
// printed, nothing is touched.
#include "kith/collection.hpp"
#include "kith/index.hpp"

#include "support/catch.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

using kith::Errc;
using kith::OpenMode;
using kith_test::bytes_of;
using kith_test::Raised;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

template <class Year, class Tags, std::size_t dim, class Element>
struct Book {
    std::string id;
    Year year{};
    Tags tags{};
    std::string title;
    std::array<Element, dim> vector{};
};

using Stored = Book<std::int32_t, std::vector<std::string>, 8, float>;

template <class B, class Metric = kith::L2, class Index = kith::Hnsw<>>
using SchemaOf = kith::Schema<B, kith::Key<&B::id>, kith::VectorField<&B::vector, Metric, Index>>;

struct Renamed {
    std::string id;
    std::int32_t published = 0;
    std::vector<std::string> tags;
    std::string title;
    std::array<float, 8> vector{};
};

struct Reordered {
    std::string id;
    std::vector<std::string> tags;
    std::int32_t year = 0;
    std::string title;
    std::array<float, 8> vector{};
};

struct Longer {
    std::string id;
    std::int32_t year = 0;
    std::vector<std::string> tags;
    std::string title;
    bool draft = false;
    std::array<float, 8> vector{};
};

struct Shorter {
    std::string id;
    std::int32_t year = 0;
    std::vector<std::string> tags;
    std::array<float, 8> vector{};
};

struct TwoVectors {
    std::string id;
    std::int32_t year = 0;
    std::vector<std::string> tags;
    std::string title;
    std::array<float, 8> vector{};
    std::array<float, 8> other{};
};

template <class B>
using KeyedByTitle = kith::Schema<B, kith::Key<&B::title>, kith::VectorField<&B::vector, kith::L2, kith::Hnsw<>>>;
template <class B>
using Indexed = kith::Schema<B, kith::Key<&B::id>, kith::Field<&B::year, kith::indexed>,
                             kith::VectorField<&B::vector, kith::L2, kith::Hnsw<>>>;
template <class B>
using WithTwo = kith::Schema<B, kith::Key<&B::id>, kith::VectorField<&B::vector, kith::L2, kith::Hnsw<>>,
                             kith::VectorField<&B::other, kith::L2, kith::Hnsw<>>>;

std::map<std::string, std::string> files_of(const fs::path& collection) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(collection)) {
        const std::string name = entry.path().lexically_relative(collection).string();
        if (entry.is_regular_file() && name != "LOCK" && name != "forward/lock.mdb") {
            files[name] = bytes_of(entry.path());
        }
    }
    return files;
}

/// Checks that a program of schema S is told `words` of the collection at `path`, which stays as it is.
template <class S>
void differs(const fs::path& path, const std::vector<std::string>& words) {
    const auto before = files_of(path);
    for (const OpenMode mode : {OpenMode::create_or_open, OpenMode::open, OpenMode::read_only}) {
        kith::Options options;
        options.mode = mode;
        const Raised error = raised([&] { kith::Collection<S>(path, options); });
        INFO(error.text);
        CHECK(error.code == Errc::schema_mismatch);
        CHECK(error.says("books.kith"));
        for (const std::string& word : words) {
            INFO(word);
            CHECK(error.says(word));
        }
    }
    CHECK(files_of(path) == before);
}

}  // namespace

TEST_CASE("Whatever changed in the schema is said by name, before and after, and nothing is touched") {
    const TemporaryDirectory directory;
    const fs::path path = directory / "books.kith";
    {
        kith::Collection<SchemaOf<Stored>> books(path);
        books.insert(Stored{"a", 2000, {"x"}, "A", {1}});
        books.checkpoint();
        books.insert(Stored{"b", 2001, {}, "B", {0, 1}});
    }
    using Texts = std::vector<std::string>;
    differs<SchemaOf<Book<std::int64_t, Texts, 8, float>>>(path, {"'year'", "int32", "int64"});
    differs<SchemaOf<Book<std::uint32_t, Texts, 8, float>>>(path, {"'year'", "int32", "uint32"});
    differs<SchemaOf<Book<double, Texts, 8, float>>>(path, {"'year'", "int32", "double"});
    differs<SchemaOf<Book<std::string, Texts, 8, float>>>(path, {"'year'", "int32", "text"});
    differs<SchemaOf<Book<std::optional<std::int32_t>, Texts, 8, float>>>(path, {"'year'", "int32", "nullable"});
    differs<SchemaOf<Book<std::vector<std::int32_t>, Texts, 8, float>>>(path, {"'year'", "list of int32"});
    differs<SchemaOf<Book<std::int32_t, std::string, 8, float>>>(path, {"'tags'", "list of text"});
    differs<SchemaOf<Book<std::int32_t, Texts, 9, float>>>(path, {"'vector'", "8", "9"});
    differs<SchemaOf<Book<std::int32_t, Texts, 8, kith::Half>>>(path, {"'vector'", "f16"});
    differs<SchemaOf<Book<std::int32_t, Texts, 8, std::int8_t>>>(path, {"'vector'", "i8"});
    differs<SchemaOf<Stored, kith::Cosine>>(path, {"'vector'", "l2", "cosine"});
    differs<SchemaOf<Stored, kith::Cosine, kith::Flat>>(path, {"'vector'", "l2", "cosine"});
    differs<SchemaOf<Renamed>>(path, {"'year'", "'published'", "only in"});
    differs<SchemaOf<Reordered>>(path, {"order"});
    differs<SchemaOf<Longer>>(path, {"'draft'", "bool"});
    differs<SchemaOf<Shorter>>(path, {"'title'", "only in the stored schema"});
    differs<KeyedByTitle<Stored>>(path, {"'id'", "'title'", "key"});
    differs<WithTwo<TwoVectors>>(path, {"'other'"});
    CHECK(kith::Collection<Indexed<Stored>>(path).size() == 2);  // how values are found is no part of the records
    CHECK(kith::Collection<SchemaOf<Stored>>(path).size() == 2);
}
