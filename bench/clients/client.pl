# Sends the requests of one list by one library of Perl; README.md says how.
use strict;
use warnings;
use MIME::Base64;

my ($library, $base, $key) = @ARGV;
$| = 1;

# Pieces of a body, whose number and length the library cannot know.
sub pieces {
    my $body = shift;
    my $half = int(length($body) / 2);
    my @left = grep { length } substr($body, 0, $half), substr($body, $half);
    return sub { @left ? shift @left : '' };
}

sub escape { my $s = shift; $s =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge; return $s }

sub by_tiny {
    require HTTP::Tiny;
    my $http = HTTP::Tiny->new;
    return sub {
        my ($method, $send, $url, $headers, $body) = @_;
        my %options = (headers => $headers);
        $options{content} = $body if $send eq 'whole';
        $options{content} = pieces($body) if $send eq 'stream' || $send eq 'multipart';
        my $r = $http->request($method, $url, \%options);
        return $r->{status} == 599 ? (0, $r->{content}) : ($r->{status}, $r->{content});
    };
}

sub by_lwp {
    require LWP::UserAgent;
    my $http = LWP::UserAgent->new(keep_alive => 1);
    return sub {
        my ($method, $send, $url, $headers, $body) = @_;
        my $request = HTTP::Request->new($method, $url, [%$headers]);
        $request->content($body) if $send eq 'whole';
        $request->content(pieces($body)) if $send eq 'stream' || $send eq 'multipart';
        my $r = $http->request($request);
        return (0, $r->content) if ($r->header('Client-Warning') // '') eq 'Internal response';
        return ($r->code, $r->content);
    };
}

my $request = $library eq 'LWP' ? by_lwp() : by_tiny();
while (my $line = <STDIN>) {
    chomp $line;
    my ($name, $method, $send, $target, $params, $body) = split /\t/, $line, -1;
    my $url = $base . decode_base64($target);
    my @flat = split /\0/, decode_base64($params), -1;
    my @pairs;
    push @pairs, escape(shift @flat) . '=' . escape(shift @flat) while @flat;
    $url .= '?' . join '&', @pairs if @pairs;
    $body = decode_base64($body);
    my %headers = (Authorization => "FlespiToken $key");
    %headers = (%headers, Origin => 'https://app.test', 'Access-Control-Request-Method' => 'PUT') if $method eq 'OPTIONS';
    if ($send eq 'multipart') {
        $headers{'Content-Type'} = 'multipart/form-data; boundary=limit';
        $body = "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"track.bin\"\r\n\r\n$body\r\n--limit--\r\n";
    }
    my ($status, $answer) = eval { $request->($method, $send, $url, \%headers, $body) };
    ($status, $answer) = (0, $@) if $@; # what a library refuses is an outcome, too
    print join("\t", $name, $status, encode_base64($answer, '')), "\n";
}
